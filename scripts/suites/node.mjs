// Unit tests that need Node only: of these scripts and of the wrapper.
import { readNodeTest, report, withExit } from '../lib/counts.mjs';
import { main } from '../lib/main.mjs';
import { at } from '../lib/paths.mjs';
import { start } from '../lib/run.mjs';
import { files } from '../lib/stamp.mjs';

await main(import.meta.url, async () => {
  const tests = [at('scripts'), at('js', 'test')].flatMap(files).filter((file) => /\.test\.m?js$/.test(file));
  const result = await start(process.execPath, ['--test', '--test-reporter=spec', ...tests], { keep: true });
  report(withExit(readNodeTest(result.output), result.code));
});
