/** Firestore nests maps up to 20 deep: about 70 levels. */
const DEEPEST = 128;

/** JSON of at most 128 levels, so that walking it cannot exhaust the stack. @throws SyntaxError */
export function parseJsonBody(text: string): unknown {
  if (isDeep(text)) throw new SyntaxError('nested too deep');
  return JSON.parse(text);
}

function isDeep(text: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quoted) {
      if (char === '\\') at += 1;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === '{' || char === '[') {
      depth += 1;
      if (depth > DEEPEST) return true;
    } else if (char === '}' || char === ']') depth -= 1;
  }
  return false;
}
