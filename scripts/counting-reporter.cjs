const { writeFileSync } = require('node:fs');
const { reporters } = require('mocha');

/** Mocha's own output, and its counts as JSON in the file that MOCHA_COUNTS_FILE names. */
module.exports = class CountingReporter extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once('end', () => {
      const { passes, failures } = runner.stats;
      writeFileSync(process.env.MOCHA_COUNTS_FILE, JSON.stringify({ passed: passes, failed: failures }));
    });
  }
};
