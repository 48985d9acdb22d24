import { expect } from 'chai';
import { fuzzDocuments } from './fuzz-documents.js';

describe('documents with a few places changed', () => {
  it('break nothing, and are no reason not to store others', async () => {
    const seed = 20_261_120;
    const { read, siblings, others } = await fuzzDocuments({ documents: 10_000, seed });
    // Most are still documents, and what they show is stored like anything else.
    expect(read).to.be.greaterThan(5_000);
    expect(others).to.be.greaterThan(siblings);
  }).timeout(600_000);
});
