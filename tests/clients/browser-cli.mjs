// The scripted browser for a client that is not written in JavaScript.
// usage: node browser-cli.mjs AUTHORIZE_URL [--person alice] [--deny] [--screenshots DIR] [--name NAME]
import { parseArgs } from 'node:util';
import { closeBrowser, signIn } from './browser.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    person: { type: 'string', default: 'alice' },
    deny: { type: 'boolean', default: false },
    screenshots: { type: 'string' },
    name: { type: 'string', default: 'sign-in' },
  },
});
if (positionals.length !== 1) {
  console.error('usage: browser-cli.mjs AUTHORIZE_URL [--person NAME] [--deny] [--screenshots DIR] [--name NAME]');
  process.exit(2);
}
try {
  const { returned, page } = await signIn(positionals[0], {
    person: values.person,
    approve: !values.deny,
    screenshotsDir: values.screenshots,
    name: values.name,
  });
  // Without the query: the code is the client's.
  console.log(JSON.stringify(returned ? { returned: returned.origin + returned.pathname } : { page }));
  process.exitCode = returned ? 0 : 3;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await closeBrowser();
}
