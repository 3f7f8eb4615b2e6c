// A form with a name and a password, as the providers here have one.
import { strict as assert } from 'node:assert';

/** Fills in and sends the form. */
export async function sendPassword(tab, form, person, password) {
  await tab.page.locator(form.name).fill(person);
  await tab.page.locator(form.password).fill(password);
  await tab.leave(form.send);
}

/** Sends a wrong password and finds the form again, with the provider's own words. */
export async function sendWrongPassword(tab, form, person, password) {
  await sendPassword(tab, form, person, password);
  const text = await tab.page.locator('body').innerText();
  assert.match(text, form.refusal, 'the provider does not say that the password is wrong');
  assert(await tab.page.locator(form.password).isVisible());
}

/** The names of the keys that a provider publishes for signatures. */
export async function publishedKeys(issuer) {
  const discovered = await fetch(`${issuer}/.well-known/openid-configuration`);
  const { jwks_uri: uri } = await discovered.json();
  const { keys } = await (await fetch(uri)).json();
  return keys.filter(key => key.use !== 'enc').map(key => key.kid);
}
