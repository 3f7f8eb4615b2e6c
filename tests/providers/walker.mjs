// A browser without a screen: cookies, redirects and forms, for sign-ins by the dozen.
import { strict as assert } from 'node:assert';

const most = 12;

/** What a person reads of a page. */
function words(html) {
  const named = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  return html
    .replace(/<(head|script|style)\b.*?<\/\1>/gs, ' ')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => named[name])
    .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replace(/\s+/g, ' ')
    .trim();
}

export class Walker {
  /** All servers here are one host, and cookies do not know ports. */
  #cookies = [];
  page;

  #keep(response) {
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(';').map(part => part.trim());
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      const attribute = wanted => attributes.find(one => one.toLowerCase().startsWith(`${wanted}=`))?.split('=')[1];
      const path = attribute('path') ?? '/';
      const ended = attribute('max-age') === '0' || Date.parse(attribute('expires') ?? '9999-01-01') <= Date.now();
      this.#cookies = this.#cookies.filter(cookie => cookie.name !== name || cookie.path !== path);
      if (!ended) {
        this.#cookies.push({ name, value, path });
      }
    }
  }

  #sent(url) {
    const fits = ({ path }) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`);
    return this.#cookies.filter(fits).map(({ name, value }) => `${name}=${value}`).join('; ');
  }

  /** Goes there, and wherever it leads; answers the page at the end. */
  async go(address, form) {
    let [url, body] = [new URL(address), form];
    for (let hop = 0; hop < most; hop += 1) {
      const headers = { cookie: this.#sent(url), ...(body && { origin: new URL(this.page.url).origin }) };
      const options = { method: body ? 'POST' : 'GET', body: body && new URLSearchParams(body), redirect: 'manual' };
      const response = await fetch(url, { ...options, headers, signal: AbortSignal.timeout(20_000) });
      this.#keep(response);
      const location = response.headers.get('location');
      const html = await response.text();
      if (!location) {
        this.page = { url: url.href, status: response.status, html, text: words(html) };
        return this.page;
      }
      [url, body] = [new URL(location, url), undefined];
    }
    throw new Error(`more than ${most} redirects from ${address}`);
  }

  /** Sends the one form of the page, its hidden fields with these. */
  async send(fields) {
    const [form] = /<form\b[^>]*>/.exec(this.page.html) ?? [];
    assert(form, `no form at ${this.page.url}: ${this.page.text}`);
    const action = /\baction="([^"]*)"/.exec(form)?.[1] ?? this.page.url;
    const hidden = [...this.page.html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
    return this.go(new URL(action, this.page.url), { ...Object.fromEntries(hidden.map(([, name, value]) => [name, value])), ...fields });
  }
}
