//! A client's metadata document, read strictly where trust hangs on it and leniently elsewhere
//! (draft-ietf-oauth-client-id-metadata-document).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client_statement::{check_keys, check_response_types, cut, keys, may_refresh, redirect_uris};
use super::registration::RegistrationRequest;
use super::{OAuthError, RedirectUri};

/// Where a client's public keys are (RFC 7591 section 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientKeys {
    /// `jwks`: here, as a JWK set.
    Jwks(serde_json::Value),
    /// `jwks_uri`: at this URL.
    JwksUri(url::Url),
}

impl ClientKeys {
    /// Public keys as somebody wrote them down: a JWK set.
    pub fn read(text: &str) -> Result<Self, InvalidClientDocument> {
        let jwks: Value = serde_json::from_str(text).map_err(|_| "this is not JSON")?;
        if !jwks.is_object() {
            return Err("this is not a JWK set".into());
        }
        let said = RegistrationRequest { jwks: Some(jwks.clone()), ..RegistrationRequest::default() };
        check_keys(&said)?;
        Ok(Self::Jwks(jwks))
    }
}

/// What a client's metadata document says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientDocument {
    /// What it calls itself: hostile data.
    pub name: String,
    /// Where answers may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// Its public keys, if it can sign.
    pub keys: Option<ClientKeys>,
    /// May it come without signing?
    pub may_be_public: bool,
}

/// Why a document makes no client, in words for its author.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidClientDocument(String);

impl From<&str> for InvalidClientDocument {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<OAuthError> for InvalidClientDocument {
    fn from(error: OAuthError) -> Self {
        Self(error.description().to_owned())
    }
}

impl ClientDocument {
    /// Reads the document that stands at `url`.
    pub fn read(url: &str, body: &[u8]) -> Result<Self, InvalidClientDocument> {
        let document: Value = serde_json::from_slice(body).map_err(|_| "the document is not JSON")?;
        let members = document.as_object().ok_or("the document is not a JSON object")?;
        // Byte for byte (SEC-119).
        if members.get("client_id").and_then(Value::as_str) != Some(url) {
            return Err("the document's client_id is not the URL that it stands at".into());
        }
        if members.contains_key("client_secret") || members.contains_key("client_secret_expires_at") {
            return Err("the document has a client_secret, and everybody can read it".into());
        }
        let said: RegistrationRequest = serde_json::from_value(document.clone())
            .map_err(|_| "a member of the document has the wrong type")?;
        check_response_types(&said)?;
        // Refreshing is not refused where it is not listed (INT-41); a client without codes is.
        may_refresh(&said)?;
        let (keys, may_be_public) = authentication(&said, &document)?;
        let name = said.client_name.as_deref().map(cut).ok_or("client_name is missing")?;
        Ok(Self { name, redirect_uris: redirect_uris(&said.redirect_uris)?, keys, may_be_public })
    }
}

/// `none` or `private_key_jwt`: a document that everybody can read holds no secret (SEC-125). Of a list
/// (INT-40), whatever of these two is in it.
fn authentication(
    said: &RegistrationRequest,
    document: &Value,
) -> Result<(Option<ClientKeys>, bool), InvalidClientDocument> {
    let listed = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
    let listed = listed.map(|list| list.iter().filter_map(Value::as_str).collect::<Vec<_>>());
    let methods = match (said.token_endpoint_auth_method.as_deref(), listed) {
        (Some(only), _) => vec![only],
        (None, Some(listed)) => listed,
        (None, None) => vec!["none"],
    };
    let offers = |method| methods.contains(&method);
    match (offers("private_key_jwt"), offers("none"), keys(said)?) {
        (true, or_none, Some(keys)) => Ok((Some(keys), or_none)),
        (_, true, _) => Ok((None, true)),
        (true, false, None) => Err("private_key_jwt needs jwks or jwks_uri".into()),
        (false, false, _) => Err("token_endpoint_auth_method must be none or private_key_jwt".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const URL: &str = "https://app.example/client.json";

    fn read(mut change: Value) -> Result<ClientDocument, String> {
        let mut document = json!({
            "client_id": URL, "client_name": "An App", "redirect_uris": ["http://127.0.0.1/cb"]
        });
        let (members, changes) = (document.as_object_mut().unwrap(), change.as_object_mut().unwrap());
        for (name, value) in std::mem::take(changes) {
            if value == "absent" {
                members.remove(&name)
            } else {
                members.insert(name, value)
            };
        }
        ClientDocument::read(URL, document.to_string().as_bytes()).map_err(|fault| fault.to_string())
    }

    #[test]
    fn sec_119_the_document_names_its_own_url() {
        assert!(read(json!({})).is_ok());
        for other in [
            "https://app.example:443/client.json",
            "https://app.example/Client.json",
            "https://app.example/client.json/",
            "",
        ] {
            assert!(read(json!({"client_id": other})).unwrap_err().contains("client_id"), "{other}");
        }
        assert!(read(json!({"client_id": "absent"})).is_err());
        assert!(read(json!({"client_id": [URL]})).is_err());
    }

    #[test]
    fn sec_120_what_must_stand_in_it() {
        for missing in ["client_name", "redirect_uris"] {
            assert!(read(json!({missing: "absent"})).unwrap_err().contains(missing), "{missing}");
        }
        assert!(read(json!({"redirect_uris": []})).is_err());
        assert!(read(json!({"redirect_uris": ["javascript:alert(1)"]})).is_err());
        assert!(read(json!({"redirect_uris": "https://app.example/cb"})).is_err());
        for not in ["", "[]", "null", "{", "\"x\""] {
            assert!(ClientDocument::read(URL, not.as_bytes()).is_err(), "{not}");
        }
    }

    #[test]
    fn sec_125_no_secrets_in_public() {
        for method in ["client_secret_basic", "client_secret_post", "client_secret_jwt", "tls_client_auth"] {
            assert!(read(json!({"token_endpoint_auth_method": method})).is_err(), "{method}");
        }
        assert!(read(json!({"client_secret": "s"})).is_err());
        assert!(read(json!({"client_secret_expires_at": 0})).is_err());
        let key = json!({"kty": "oct", "k": "AAAA"});
        assert!(read(json!({"jwks": {"keys": [key]}})).is_err());
        assert!(read(json!({"token_endpoint_auth_method": "private_key_jwt"})).is_err());
    }

    #[test]
    fn int_40_lists_of_methods_are_read() {
        let uri = json!("https://app.example/jwks.json");
        let both = json!(["private_key_jwt", "none", "client_secret_basic"]);
        let read = |change| read(change).unwrap();
        let signed = read(json!({"token_endpoint_auth_methods_supported": both, "jwks_uri": uri}));
        assert!(signed.may_be_public && matches!(signed.keys, Some(ClientKeys::JwksUri(_))));
        let public = read(json!({"token_endpoint_auth_methods_supported": both}));
        assert!(public.may_be_public && public.keys.is_none());
        let only = read(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": []}}));
        assert!(!only.may_be_public && matches!(only.keys, Some(ClientKeys::Jwks(_))));
    }

    #[test]
    fn int_41_grants_beside_ours_are_ignored() {
        let jwt = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        assert!(read(json!({"grant_types": ["authorization_code", jwt]})).is_ok());
        assert!(read(json!({"grant_types": [jwt]})).is_err());
    }
}
