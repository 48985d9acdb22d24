import { fuzzPolls } from './fuzz-polls.js';
import { fuzzReaders } from './fuzz-readers.js';

/** So many changed documents of `documents` are polled into a database too, each among sound ones. */
const POLLED_SHARE = 0.2;

/**
 * Changed documents through the readers, the job's schema and the fold, and a share of them through polls into tables.
 * Throws with the seed at the first that breaks anything.
 * @returns documents that were read, and readings stored by polls: those of sound documents and others
 */
export async function fuzzDocuments({ documents, seed }: { documents: number; seed: number }) {
  return {
    ...fuzzReaders({ documents, seed }),
    ...(await fuzzPolls({ documents: documents * POLLED_SHARE, seed })),
  };
}
