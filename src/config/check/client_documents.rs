//! Clients whose identifier is the URL of their metadata.

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw_clients::{RawClientDocuments, RawPinnedDocument};
use super::super::settings_clients::{ClientDocumentsConfig, PinnedDocument};
use super::super::text::Located;
use super::Checked;
use super::values::Checker;
use crate::protocol::ClientIdUrl;
use crate::protocol::client_document::ClientDocument;

/// More than any limit means anything at.
const MOST: u32 = 1_000_000;

impl Checker<'_> {
    pub(super) fn client_documents(&mut self, raw: &RawClientDocuments) -> Checked<ClientDocumentsConfig> {
        let place = Place::root().key("client_documents", Place::root().spot);
        let enabled = self
            .or_default(&place, "enabled", raw.enabled.as_ref(), defaults::CLIENT_DOCUMENTS)
            .and_then(|value| self.flag(&value));
        let allowed_hosts = self.domains(&place, "allowed_hosts", raw.allowed_hosts.as_ref());
        let denied_hosts = self.domains(&place, "denied_hosts", raw.denied_hosts.as_ref());
        let private_hosts = self.domains(&place, "private_hosts", raw.private_hosts.as_ref());
        let per_address = (defaults::DOCUMENTS_PER_ADDRESS, MOST);
        let per_address = self.count(&place, "per_address", raw.per_address.as_ref(), per_address);
        let pinned = self.pinned_documents(raw.pinned.as_deref().unwrap_or_default(), &place);
        let enabled = enabled?;
        let lists = [
            ("allowed_hosts", raw.allowed_hosts.as_ref()),
            ("denied_hosts", raw.denied_hosts.as_ref()),
            ("private_hosts", raw.private_hosts.as_ref()),
        ];
        let lists = lists.map(|(key, list)| (key, list.map(|list| list.spot)));
        let limit = ("per_address", raw.per_address.as_ref().map(|text| text.spot));
        let idle =
            lists.into_iter().chain([limit]).find_map(|(key, spot)| Some((key, spot.filter(|_| !enabled)?)));
        if let Some((key, spot)) = idle {
            let problem = "has no effect while `enabled` is false";
            return Err(self.report(&place.key(key, spot), problem, "remove it"));
        }
        Ok(ClientDocumentsConfig {
            enabled,
            allowed_hosts: allowed_hosts?,
            denied_hosts: denied_hosts?,
            private_hosts: private_hosts?,
            per_address: per_address?,
            pinned: pinned?,
        })
    }

    fn pinned_documents(
        &mut self,
        raw: &[Located<RawPinnedDocument>],
        parent: &Place,
    ) -> Checked<Vec<PinnedDocument>> {
        let list = parent.key("pinned", parent.spot);
        let mut pinned: Vec<PinnedDocument> = Vec::with_capacity(raw.len());
        let mut failed = None;
        for (i, raw) in raw.iter().enumerate() {
            let place = list.item(i, raw.spot);
            match self.pinned_document(&raw.inner, &place) {
                Ok(document) if pinned.iter().any(|other| other.client_id == document.client_id) => {
                    let problem = "another document is pinned for this client";
                    failed = Some(self.report(&place, problem, "keep one of them"));
                }
                Ok(document) => pinned.push(document),
                Err(reported) => failed = Some(reported),
            }
        }
        failed.map_or(Ok(pinned), Err)
    }

    fn pinned_document(&mut self, raw: &RawPinnedDocument, place: &Place) -> Checked<PinnedDocument> {
        let instead =
            "write the client_id as the client sends it, such as https://app.example.com/client.json";
        let client_id = self.required(place, "client_id", raw.client_id.as_ref(), instead)?;
        if let Err(fault) = ClientIdUrl::parse(&client_id.text) {
            return Err(self.report(&client_id.place, fault.to_string(), instead));
        }
        let text = match (&raw.document, &raw.file) {
            (Some(document), None) => self.value(place.key("document", document.spot), document)?,
            (None, Some(file)) => {
                let mut file = self.value(place.key("file", file.spot), file)?;
                file.text = self.file(&file)?;
                file
            }
            _ => {
                let problem = "needs either `document` or `file`";
                return Err(self.report(
                    place,
                    problem,
                    "write the JSON as text, or name a file that holds it",
                ));
            }
        };
        let document = ClientDocument::read(&client_id.text, text.text.as_bytes());
        let document =
            document.map_err(|fault| self.report(&text.place, fault.to_string(), "mend the document"))?;
        Ok(PinnedDocument { client_id: client_id.text, document })
    }
}
