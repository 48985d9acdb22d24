import { fuzzDocuments } from '../cloud/fuzz-documents.js';
import { refreshRace } from '../cloud/refresh-race.js';

/** What `npm test` does in small, in full. */
describe('faults: the cloud', function () {
  this.timeout(1_800_000);

  it('rotates the refresh token strictly, a hundred times, for eight processes that compete', async () => {
    const { refreshes, competing } = await refreshRace({ processes: 8, expiries: 100 });
    tell(
      'eight processes, one strictly rotating account, 100 expiries',
      'G8',
      `${refreshes} refreshes, ${competing.toFixed(1)} processes competed for each, no token lost`,
    );
  });

  it('answers with 100,000 documents that nobody would write', async () => {
    const { read, siblings } = await fuzzDocuments({ documents: 100_000, seed: 7 });
    tell(
      '100,000 mutated documents',
      'G1',
      `${read} read without a crash or a broken constraint, ${siblings} siblings stored`,
    );
  });
});

const tell = (name: string, promise: string, figures: string) =>
  process.stdout.write(`fault | ${name} | ${promise} | ${figures} | pass\n`);
