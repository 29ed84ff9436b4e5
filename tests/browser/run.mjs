// Browser tests: real Chromium processes against the real server. `node tests/browser/run.mjs [part of a name]…`
// Needs `npm run build`. Screenshots and server logs go to tests/browser/artifacts/.
import { closeBrowsers, explain } from './lib/browsers.mjs';
import { runAll } from './lib/runner.mjs';
import { checkServer } from './lib/server.mjs';

checkServer();
await import('./cases/convergence.mjs');
await import('./cases/durability.mjs');
await import('./cases/offline.mjs');
await import('./cases/storage.mjs');
await import('./cases/tabs.mjs');
await import('./cases/notepad.mjs');
await import('./cases/codemirror.mjs');
await import('./cases/whiteboard.mjs');
await import('./cases/whiteboard-together.mjs');
await import('./cases/whiteboard-page.mjs');
await import('./cases/sdk.mjs');
await import('./cases/documents.mjs');
await import('./cases/debug.mjs');
await import('./cases/readme.mjs');

const failed = await runAll(process.argv.slice(2), { onFailure: explain });
await closeBrowsers();
process.exit(failed > 0 ? 1 : 0);
