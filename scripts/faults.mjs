import { spawn } from 'node:child_process';
import { prepare, root } from './install.mjs';

prepare();
delete process.env.DATABASE_URL;
delete process.env.REDIS_URL;
const files = process.argv.slice(2);
const mocha = spawn(
  process.execPath,
  ['node_modules/mocha/bin/mocha.js', ...(files.length > 0 ? files : ['test/faults/*.fault.ts'])],
  { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
);
const rows = [];
let rest = '';
mocha.stdout.on('data', (chunk) => {
  process.stdout.write(chunk);
  const lines = `${rest}${chunk}`.split('\n');
  rest = lines.pop() ?? '';
  rows.push(
    ...lines.filter((line) => line.startsWith('fault | ')).map((line) => line.slice('fault '.length)),
  );
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => mocha.kill(signal));
mocha.on('close', (code) => {
  process.stdout.write(
    `\n| fault | promise | figures | |\n| --- | --- | --- | --- |\n${rows.map((row) => `${row} |\n`).join('')}`,
  );
  process.exit(code ?? 1);
});
