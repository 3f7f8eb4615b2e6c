// People with a real browser, from our page to the provider's.
import { strict as assert } from 'node:assert';
import { Tab, newProfile } from '../clients/browser.mjs';
import { Client } from './client.mjs';

export const everything = 'mcp:read mcp:write mcp:admin';

/** One person with a browser of their own. */
export async function withBrowser(body) {
  const context = await newProfile();
  try {
    return await body(await Tab.open(context));
  } finally {
    await context.close();
  }
}

const allowButton = 'button[name=action][value=allow]';

/**
 * The person approves on our page, and stands at the provider (or past it). Who is signed in here
 * already allows it, and does not see the provider.
 */
export async function approve(tab, client, { scope = everything, upstream } = {}) {
  await tab.goto(await client.authorizationUrl(scope));
  const shown = await tab.page.locator('main').innerText();
  assert(shown.includes(client.name), `our page does not name ${client.name}: ${shown}`);
  const isSignedIn = (await tab.page.locator(allowButton).count()) > 0;
  await tab.leave(upstream ? `button[name=upstream][value=${upstream}]` : isSignedIn ? allowButton : 'button[name=upstream]');
}

/** A client registers and begins; the person approves. */
export async function begin(broker, tab, name, options) {
  const client = await Client.register(broker, name);
  await approve(tab, client, options);
  return client;
}

/** The page that says that there is no access and why. The client has heard nothing. */
export async function noAccess(tab, client) {
  const { page } = await tab.outcome(client.callback.redirectUri);
  assert(page, 'the client got an answer without the person reading why');
  assert.equal(page.status, 403, page.text);
  assert.match(page.heading, /no access/i);
  assert.equal(client.callback.received.length, 0, 'the client heard of it');
  return page.text;
}
