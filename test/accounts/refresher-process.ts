import { createInterface } from 'node:readline';
import { createAccessTokens } from '../../src/accounts/access-token.js';
import type { LeasedAccount } from '../../src/accounts/credential-manager.js';
import { clientOf, openDatabase, secretBox } from '../poller/parts.js';

/** Asks for the account's access token with each line on stdin, and answers with it, or why there is none. */
const [databaseUrl = '', cloudUrl = '', leased = ''] = process.argv.slice(2);
const account: LeasedAccount = JSON.parse(leased);
const dataSource = await openDatabase(databaseUrl);
const client = clientOf(cloudUrl);
const tokens = createAccessTokens({
  dataSource,
  box: secretBox,
  refresh: (_, refreshToken) => client.refresh(refreshToken),
  onDead: async () => () => undefined,
});
process.stdout.write('{}\n');
for await (const _ of createInterface({ input: process.stdin })) {
  const answer = await tokens(account).then(
    (token) => ({ token }),
    (error: unknown) => ({ error: String(error) }),
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
