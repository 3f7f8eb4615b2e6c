//! The API's description in `OpenAPI` 3.1, whose schemas are JSON Schema as schemars writes it.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::domain::{ADMIN_SCOPE, Accepted, KEYS_SCOPE, Resources};
use crate::protocol::{Issuer, ResourceUri};

use super::views::{ApiKeyCreated, ApiKeyList, ApiKeyView, NewApiKey};

/// What the description names.
#[derive(Debug, Clone, Copy)]
pub struct Described<'a> {
    /// Who grants tokens.
    pub issuer: &'a Issuer,
    /// Where the API is.
    pub url: &'a ResourceUri,
    /// What keys can be for.
    pub resources: &'a Resources,
}

/// The description.
#[must_use]
pub fn openapi(described: Described<'_>) -> Value {
    let Described { issuer, url, resources } = described;
    let answered = |schema: &str, text: &str| {
        let reference = format!("#/components/schemas/{schema}");
        json!({ "description": text, "content": { "application/json": { "schema": { "$ref": reference } } } })
    };
    let refused = |text: &str| answered("Error", text);
    let common = |mut answers: Value| {
        if let Some(all) = answers.as_object_mut() {
            all.insert("400".into(), refused("What was asked for cannot be."));
            all.insert("401".into(), refused("No access token, or none that counts: see WWW-Authenticate."));
            all.insert("403".into(), refused("The token, or the owner, has too little."));
            all.insert("503".into(), refused("The store or the owner's identity provider does not answer."));
        }
        answers
    };
    let id = json!({ "name": "id", "in": "path", "required": true, "description": "The key's name.",
        "schema": { "type": "string", "pattern": "^[0-9A-Za-z]{19}$" } });
    let owner = json!({ "name": "owner", "in": "query", "description": "Whose keys; left out: the caller's.",
        "schema": { "type": "string", "pattern": "^p_[A-Za-z0-9_-]{43}$" } });
    let none = refused("There is no such key, or nobody of that name.");
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Gatelodge: API keys", "version": env!("CARGO_PKG_VERSION"),
            "description": format!("Scope {KEYS_SCOPE}: one's own keys; {ADMIN_SCOPE}: everybody's.") },
        "servers": [{ "url": url.as_str() }],
        "security": [{ "access_token": [] }],
        "paths": {
            "/api-keys": {
                "get": { "operationId": "listApiKeys", "summary": "A person's keys, the oldest first.",
                    "parameters": [owner], "responses": common(json!({ "200": answered("ApiKeyList", "The keys.") })) },
                "post": { "operationId": "createApiKey", "summary": "Make a key; its text is told once.",
                    "requestBody": { "required": true, "content": { "application/json": {
                        "schema": { "$ref": "#/components/schemas/NewApiKey" } } } },
                    "responses": common(json!({
                        "201": answered("ApiKeyCreated", "The key."),
                        "404": none,
                        "409": refused("The owner has too many keys that count."),
                        "413": refused("The body is too long."),
                        "415": refused("The body is not JSON."),
                    })) },
            },
            "/api-keys/{id}": {
                "parameters": [id],
                "get": { "operationId": "readApiKey", "summary": "One key.",
                    "responses": common(json!({ "200": answered("ApiKeyView", "The key."), "404": none })) },
                "delete": { "operationId": "revokeApiKey",
                    "summary": "Revoke a key for ever; it stays in the history.",
                    "responses": common(json!({ "200": answered("ApiKeyView", "The key."), "404": none })) },
            },
        },
        "components": {
            "schemas": schemas(resources),
            "securitySchemes": { "access_token": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": format!("An access token of {issuer} for {url}.") } },
        },
    })
}

fn schemas(resources: &Resources) -> Value {
    let mut generator = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.definitions_path = "/components/schemas".into();
    });
    generator.inline_subschemas = false;
    let mut generator = generator.into_generator();
    generator.subschema_for::<NewApiKey>();
    generator.subschema_for::<ApiKeyView>();
    generator.subschema_for::<ApiKeyCreated>();
    generator.subschema_for::<ApiKeyList>();
    let mut all = Value::Object(generator.take_definitions(true));
    let with_keys = || resources.iter().filter(|resource| resource.accepts.contains(&Accepted::ApiKey));
    let urls: Vec<&str> = with_keys().map(|resource| resource.url.as_str()).collect();
    let mut words = vec!["read".to_owned(), "write".to_owned()];
    words.extend(
        with_keys().flat_map(|resource| {
            resource.listed_scopes().iter().map(ToString::to_string).collect::<Vec<_>>()
        }),
    );
    words.sort_unstable();
    words.dedup();
    // What this broker has to offer, so that a program need not guess.
    let of_new = |member: &str| format!("/NewApiKey/properties/{member}");
    set(&mut all, &of_new("resources/items"), json!({ "type": "string", "enum": urls }));
    // Where there are scopes that not everybody reads of, these are not all.
    let is_all = with_keys().all(|resource| resource.listed_scopes() == resource.scope_set());
    let known = if is_all { "enum" } else { "examples" };
    set(&mut all, &of_new("scopes/items"), json!({ "type": "string", known: words }));
    let name = all.pointer_mut(&of_new("name")).and_then(Value::as_object_mut);
    name.map(|name| name.insert("pattern".into(), NAME.into()));
    let error = json!({ "type": "object", "required": ["error", "error_description"], "properties": {
        "error": { "type": "string" }, "error_description": { "type": "string" } } });
    all.as_object_mut().map(|all| all.insert("Error".into(), error));
    all
}

fn set(all: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = all.pointer_mut(pointer) {
        *place = value;
    }
}

/// One line, with no space around it.
const NAME: &str = r"^[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$";
