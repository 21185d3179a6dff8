/** Closes a run: what was skipped for want of a program, by name, and the counts in one plain last line. */
import { writeSync } from 'node:fs';
import { relative } from 'node:path';

const NEEDS = /\[needs ([^\]]+)\]/;

export default class ClosingReporter {
  constructor(globalConfig) {
    this.rootDir = globalConfig.rootDir;
  }

  onRunComplete(_contexts, results) {
    const lines = [...wants(results, this.rootDir), counts(results)];
    // Jest's own summary comes after every reporter; this line must be the last.
    process.once('exit', () => writeSync(process.stdout.fd, `${lines.join('\n')}\n`));
  }
}

/** For each file one line that names the missing programs and how many tests wait for them. */
function wants(results, rootDir) {
  return results.testResults.flatMap((file) => {
    const tests = file.testResults.filter((test) => test.status === 'pending' && NEEDS.test(test.fullName));
    if (tests.length === 0) return [];
    const programs = new Set(tests.flatMap((test) => NEEDS.exec(test.fullName)[1].split(', ')));
    return [
      `skipped for want of: ${[...programs].join(', ')}, ${tests.length} test(s) of ${relative(rootDir, file.testFilePath)}`,
    ];
  });
}

/** A file that could not run, or left something behind, counts as one failure beside those of its tests. */
function counts(results) {
  const failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
  const skipped = results.numPendingTests + results.numTodoTests;
  return `${results.numPassedTests} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`;
}
