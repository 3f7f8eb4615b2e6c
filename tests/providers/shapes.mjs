// Products that cannot run here: node-oidc-provider in the shape of each.
import { auth0 } from './shapes/auth0.mjs';
import { clerk, clerkThin } from './shapes/clerk.mjs';
import { entra, entraTenant } from './shapes/entra.mjs';
import { google } from './shapes/google.mjs';
import { okta, oktaCustom } from './shapes/okta.mjs';
import { suite } from './stage.mjs';

export const shapes = [google, okta, oktaCustom, entra, entraTenant, clerk, clerkThin, auth0].map(suite);
