// How many tests passed: every suite ends with the line `N passed, N failed`.
export const summary = ({ passed, failed }) => `${passed} passed, ${failed} failed`;

/** The last summary line in `output`, or null. */
export function readSummary(output) {
  const lines = [...output.matchAll(/^(\d+) passed, (\d+) failed$/gm)];
  const last = lines.at(-1);
  return last ? { passed: Number(last[1]), failed: Number(last[2]) } : null;
}

/** The sum over every `test result:` line of libtest and of wasm-bindgen-test. */
export function readLibtest(output) {
  const counts = { passed: 0, failed: 0, ignored: 0 };
  for (const line of output.matchAll(/test result: .*?(\d+) passed; (\d+) failed; (\d+) ignored/g)) {
    counts.passed += Number(line[1]);
    counts.failed += Number(line[2]);
    counts.ignored += Number(line[3]);
  }
  return counts;
}

/** The totals of Node's test reporters (`ℹ pass 3` or `# pass 3`). */
export function readNodeTest(output) {
  const total = (word) => Number(output.match(new RegExp(`^\\S ${word} (\\d+)$`, 'm'))?.[1] ?? 0);
  return { passed: total('pass'), failed: total('fail') + total('cancelled') };
}

/** A program that failed without a failed test (it did not compile, it crashed) still counts as a failure. */
export function withExit(counts, code) {
  return code !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

/** Prints the summary of a suite and makes the process fail if a test did. */
export function report(counts) {
  console.log(`\n${summary(counts)}`);
  if (counts.failed > 0) process.exitCode = 1;
}
