// npm run docs: the API documentation of the crate in target/doc, warnings being errors.
import path from 'node:path';
import { main } from './lib/main.mjs';
import { targetDir } from './lib/paths.mjs';
import { cargoDoc } from './lib/run.mjs';
import { step } from './lib/step.mjs';
import { ensureBuildTools } from './lib/tools.mjs';

await main(import.meta.url, async () => {
  await ensureBuildTools();
  await step('cargo doc', async () => { await cargoDoc(); });
  console.log(path.join(targetDir, 'doc', 'peersync', 'index.html'));
});
