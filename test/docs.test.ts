import { readdirSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import { z } from 'zod';

const read = (path: string) => readFileSync(path, 'utf8');
const names = z.record(z.string(), z.string());
const { dependencies, optionalDependencies, scripts } = z
  .object({ dependencies: names, optionalDependencies: names, scripts: names })
  .parse(JSON.parse(read('package.json')));

describe('documents', () => {
  const pages = [...readdirSync('.'), ...readdirSync('docs').map((name) => `docs/${name}`)].filter((name) =>
    name.endsWith('.md'),
  );

  it('give every production dependency a reason, and there are at most 28', () => {
    const text = read('docs/dependencies.md');
    const rows = [...text.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)];
    expect(rows.map(([, name]) => name)).to.deep.equal(Object.keys(dependencies));
    for (const [, name, reason = ''] of rows) expect(reason, name).to.have.length.above(5);
    expect(rows).to.have.length.at.most(28);
    for (const name of Object.keys(optionalDependencies)) expect(text).to.include(`\`${name}\``);
  });

  it('pin every dependency', () => {
    for (const version of Object.values({ ...dependencies, ...optionalDependencies }))
      expect(version).to.match(/^\d+\.\d+\.\d+/);
  });

  for (const page of pages)
    it(`${page} names only scripts and files that exist`, () => {
      const text = read(page);
      const named = [...text.matchAll(/npm run ([\w:-]*\w)/g)].map(([, name = '']) => name);
      expect(named.filter((name) => !scripts[name] && name !== 'migration')).to.deep.equal([]);
      const folder = page.includes('/') ? `${page.split('/')[0]}/` : '';
      for (const [, link = ''] of text.matchAll(/\]\((?!https?:|#)([^)#]+)/g))
        expect(() => readFileSync(`${folder}${link}`), link).not.to.throw();
    });
});
