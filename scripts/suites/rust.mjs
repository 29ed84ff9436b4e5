// Every native Rust test: unit, integration, documentation.
//   npm run test:rust [-- any argument of cargo test]
import { readLibtest, report, withExit } from '../lib/counts.mjs';
import { main } from '../lib/main.mjs';
import { cargo, start } from '../lib/run.mjs';
import { step } from '../lib/step.mjs';

const COMMAND = ['test', '--locked', '--features', 'server', '--no-fail-fast'];

/** Apart from running them, so that the suite's minutes measure the tests. */
export const compileRustTests = () =>
  step('Rust tests: compile', async () => { await cargo([...COMMAND, '--no-run']); });

await main(import.meta.url, async (args) => {
  const result = await start('cargo', [...COMMAND, ...args], { keep: true });
  const counts = withExit(readLibtest(result.output), result.code);
  if (counts.ignored > 0) console.log(`\n${counts.ignored} ignored`);
  report(counts);
});
