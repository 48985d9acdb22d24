// Takes the newest <main> every five seconds while somebody looks. Without this script the page stays as it was loaded.
const EVERY_MS = 5_000;

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.origin + location.pathname, {
      signal: AbortSignal.timeout(EVERY_MS),
    });
    if (!answer.ok) throw new Error(answer.statusText);
    const main = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('main');
    document.querySelector('main').replaceWith(main);
    document.title = main.dataset.title;
    document.body.classList.remove('offline');
  } catch {
    document.body.classList.add('offline');
  }
}

setInterval(refresh, EVERY_MS);
document.addEventListener('visibilitychange', refresh);
