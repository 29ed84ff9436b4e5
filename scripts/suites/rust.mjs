// Every native Rust test: unit, integration, documentation.
//   npm run test:rust [-- any argument of cargo test]
import { readLibtest, report, withExit } from '../lib/counts.mjs';
import { main } from '../lib/main.mjs';
import { start } from '../lib/run.mjs';

await main(import.meta.url, async (args) => {
  const result = await start('cargo', ['test', '--locked', '--features', 'server', '--no-fail-fast', ...args], { keep: true });
  const counts = withExit(readLibtest(result.output), result.code);
  if (counts.ignored > 0) console.log(`\n${counts.ignored} ignored`);
  report(counts);
});
