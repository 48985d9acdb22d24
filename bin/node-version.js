import { readFileSync } from 'node:fs';

/** Why this Node does not do, in one line, or undefined: from `engines` of package.json (`^a.b.c` and `>=a.b.c`). */
export function nodeVersionProblem() {
  const { engines } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const have = process.versions.node.split('.').map(Number);
  const does = engines.node.split('||').some((range) => {
    const [, operator, ...numbers] = /(\^|>=)(\d+)\.(\d+)\.(\d+)/.exec(range);
    const [major, minor, patch] = numbers.map(Number);
    if (have[0] !== major) return operator === '>=' && have[0] > major;
    return have[1] > minor || (have[1] === minor && have[2] >= patch);
  });
  return does ? undefined : `Node ${process.versions.node} does not do: install Node ${engines.node}`;
}
