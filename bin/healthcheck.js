import { get } from 'node:http';

// For a container's health check: exits 0 when the process on OPS_PORT says that it is ready, else 1 with a line why not.
const { OPS_HOST: host, OPS_PORT: port } = process.env;
const hostname = !host || host === '0.0.0.0' ? '127.0.0.1' : host;

function fail(line) {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}

if (!port) fail('OPS_PORT is not set');
const request = get({ hostname, port, path: '/health/ready', timeout: 4_000 }, (response) => {
  if (response.statusCode === 200) process.exit(0);
  fail(`${hostname}:${port} answers ${response.statusCode}`);
});
request.on('timeout', () => request.destroy(new Error('no answer within 4 s')));
request.on('error', (error) => fail(`${hostname}:${port}: ${error.message || error.code}`));
