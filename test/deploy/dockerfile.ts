/** One instruction, its continued lines joined: `RUN`, `npm ci …`. */
export interface Instruction {
  word: string;
  text: string;
}

export interface Stage {
  name: string;
  /** Another stage, or an image. */
  from: string;
  /** Its own. */
  instructions: Instruction[];
}

/** As much of the format as ours uses: no escapes but the line's, no here-documents, no `ARG` in `FROM`. */
export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const stages: Stage[] = [];
  for (const line of lines) {
    const [, word = '', rest = ''] = /^(\S+)\s+(.*)$/.exec(line) ?? [];
    if (word !== 'FROM') {
      stages.at(-1)?.instructions.push({ word, text: rest });
      continue;
    }
    const [, from = '', name = ''] = /^(\S+) AS (\S+)$/.exec(rest) ?? [];
    stages.push({ name, from, instructions: [] });
  }
  return stages;
}

/** A stage's instructions after those that it inherits. */
export function allOf(stages: Stage[], name: string): Instruction[] {
  const stage = stages.find((candidate) => candidate.name === name);
  return stage ? [...allOf(stages, stage.from), ...stage.instructions] : [];
}

/** The last instruction of its kind counts. */
export function lastOf(instructions: Instruction[], word: string): string | undefined {
  return instructions.filter((instruction) => instruction.word === word).at(-1)?.text;
}

/** What `ENV` sets, in the form `A=b C=d`. */
export function environmentOf(instructions: Instruction[]): Record<string, string> {
  const pairs = instructions
    .filter(({ word }) => word === 'ENV')
    .flatMap(({ text }) => text.split(/\s+/).map((pair) => pair.split(/=(.*)/s)));
  return Object.fromEntries(pairs.map(([name = '', value = '']) => [name, value]));
}
