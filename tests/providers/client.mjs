// A strict OAuth client (oauth4webapi): everything that it is told is checked.
import { strict as assert } from 'node:assert';
import * as oauth from 'oauth4webapi';
import { Callback } from '../clients/support.mjs';

const insecure = { [oauth.allowInsecureRequests]: true };

export class Client {
  /** Discovers the broker and registers. */
  static async register(broker, name) {
    const client = new Client();
    client.name = name;
    const issuer = new URL(broker.issuer);
    const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure });
    client.server = await oauth.processDiscoveryResponse(issuer, found);
    client.resource = broker.resource;
    client.callback = await Callback.open();
    const metadata = {
      client_name: name,
      redirect_uris: [client.callback.redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    };
    const registered = await oauth.dynamicClientRegistrationRequest(client.server, metadata, insecure);
    client.information = await oauth.processDynamicClientRegistrationResponse(registered);
    return client;
  }

  /** Where the browser has to go. */
  async authorizationUrl(scope, more = {}) {
    this.verifier = oauth.generateRandomCodeVerifier();
    this.state = oauth.generateRandomState();
    const url = new URL(this.server.authorization_endpoint);
    url.search = new URLSearchParams({
      client_id: this.information.client_id,
      redirect_uri: this.callback.redirectUri,
      response_type: 'code',
      code_challenge: await oauth.calculatePKCECodeChallenge(this.verifier),
      code_challenge_method: 'S256',
      state: this.state,
      resource: this.resource,
      scope,
      ...more,
    });
    return url.href;
  }

  /** What the browser brought back, `state` and `iss` checked. */
  async answer() {
    assert(this.callback.received.length > 0, 'the browser did not come back to the client');
    return oauth.validateAuthResponse(this.server, this.information, await this.callback.next(), this.state);
  }

  /** The error that the browser brought back. */
  async refusal() {
    const answer = this.answer();
    await assert.rejects(answer, oauth.AuthorizationResponseError);
    return answer.catch(error => error.error);
  }

  /** Redeems the code; answers the access token's claims, its signature checked. */
  async redeem() {
    const { callback, information, server, verifier } = this;
    const options = { ...insecure, additionalParameters: { resource: this.resource } };
    const asked = await oauth.authorizationCodeGrantRequest(
      server, information, oauth.None(), await this.answer(), callback.redirectUri, verifier, options,
    );
    this.tokens = await oauth.processAuthorizationCodeResponse(server, information, asked);
    return this.#claims();
  }

  async refresh() {
    const { information, server, tokens } = this;
    const asked = await oauth.refreshTokenGrantRequest(
      server, information, oauth.None(), tokens.refresh_token, insecure,
    );
    this.tokens = await oauth.processRefreshTokenResponse(server, information, asked);
    assert.notEqual(this.tokens.refresh_token, tokens.refresh_token);
    return this.#claims();
  }

  /** What the refresh token is worth no more: the error that the client is told. */
  async refusedRefresh() {
    const asked = this.refresh();
    await assert.rejects(asked, oauth.ResponseBodyError);
    return asked.catch(({ status, error }) => `${status} ${error}`);
  }

  #claims() {
    const request = new Request(this.resource, { headers: { authorization: `Bearer ${this.tokens.access_token}` } });
    return oauth.validateJwtAccessToken(this.server, request, this.resource, insecure);
  }

  close() {
    return this.callback.close();
  }
}
