// A suite made of named checks: each runs, whatever became of the others.
import { Refusal } from './main.mjs';
import { duration } from './step.mjs';

export function checks() {
  const counts = { passed: 0, failed: 0 };
  async function check(name, body) {
    const begun = performance.now();
    try {
      await body();
      counts.passed += 1;
      console.log(`ok    ${name} (${duration(performance.now() - begun)})`);
    } catch (error) {
      counts.failed += 1;
      console.log(`FAIL  ${name} (${duration(performance.now() - begun)})`);
      console.log(`      ${error instanceof Refusal ? error.message : error.stack}`);
    }
  }
  return { check, counts };
}

/** Fails a check with one sentence per line. */
export function expectNone(problems) {
  if (problems.length > 0) throw new Refusal(problems.join('\n      '));
}
