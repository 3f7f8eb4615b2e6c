import {
  createMcpExpressApp,
  getOAuthProtectedResourceMetadataUrl,
  mcpAuthMetadataRouter,
  requireBearerAuth,
} from '@modelcontextprotocol/express';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { McpServer, OAuthError, OAuthErrorCode, type OAuthTokenVerifier } from '@modelcontextprotocol/server';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';

const issuer = process.env.ISSUER ?? 'https://auth.example.com';
const resource = process.env.RESOURCE ?? 'https://mcp.example.com/mcp';
const port = Number(process.env.PORT ?? 8000);

// RFC 8414: the well-known path goes between host and path of the issuer.
const { origin, pathname } = new URL(issuer);
const found = await fetch(`${origin}/.well-known/oauth-authorization-server${pathname === '/' ? '' : pathname}`);
const oauthMetadata = await found.json();
if (oauthMetadata.issuer !== issuer) throw new Error(`the metadata is of ${oauthMetadata.issuer}`);
const keys = createRemoteJWKSet(new URL(oauthMetadata.jwks_uri), { cacheMaxAge: 300_000 });

const ofTheKeys = ['ERR_JOSE_GENERIC', 'ERR_JWKS_INVALID', 'ERR_JWKS_TIMEOUT'];
const verifier: OAuthTokenVerifier = {
  async verifyAccessToken(token) {
    const checks = { issuer, audience: resource, typ: 'at+jwt', requiredClaims: ['exp', 'sub', 'client_id'] };
    const { payload } = await jwtVerify(token, keys, checks).catch(error => {
      // When the keys cannot be had, that is no fault of the token.
      const faulty = error instanceof errors.JOSEError && !ofTheKeys.includes(error.code);
      throw faulty ? new OAuthError(OAuthErrorCode.InvalidToken, 'the access token is not valid') : error;
    });
    return {
      token,
      clientId: String(payload.client_id),
      scopes: String(payload.scope ?? '').split(' '),
      expiresAt: payload.exp,
      extra: { subject: payload.sub, email: payload.email },
    };
  },
};

const resourceServerUrl = new URL(resource);
const app = createMcpExpressApp({ allowedHosts: ['localhost', '127.0.0.1', resourceServerUrl.hostname] });
app.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl, scopesSupported: ['mcp:read', 'mcp:write'] }));

const resourceMetadataUrl = getOAuthProtectedResourceMetadataUrl(resourceServerUrl);
const guard = requireBearerAuth({ verifier, requiredScopes: ['mcp:read'], resourceMetadataUrl });
app.post(resourceServerUrl.pathname, guard, async (req, res) => {
  const server = new McpServer({ name: 'notes', version: '1.0.0' });
  server.registerTool('whoami', { description: 'Tell who is calling' }, context => {
    const { subject, email } = context.http?.authInfo?.extra ?? {};
    return { content: [{ type: 'text', text: `${subject} (${email ?? 'no address'})` }] };
  });
  const transport = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  await server.connect(transport);
  await transport.handleRequest(req, res, req.body);
});

const listener = app.listen(port, '127.0.0.1', () => console.log('listening', listener.address()));
