//! Microsoft Graph: all groups of a person who has too many of them for a token.

use serde_json::Value;

use crate::protocol::claims::MOST;

use super::api::{Api, ApiFault, Listed};
use super::facts::GroupList;

/// The ids of every group that the person is in, directly or through another group.
pub(super) async fn groups(api: Api<'_>, base: &str) -> Result<GroupList, ApiFault> {
    let first = format!("{base}/me/transitiveMemberOf/microsoft.graph.group?$select=id&$top=999");
    let listed = api.list(first, "Microsoft Graph", |_, page| {
        let groups = page.get("value")?.as_array()?.clone();
        // The next page is Graph's own, or nobody's: the token goes along.
        let next = page.get("@odata.nextLink").and_then(Value::as_str);
        let own = next.filter(|next| next.strip_prefix(base).is_some_and(|rest| rest.starts_with('/')));
        (next.is_none() || own.is_some()).then(|| (groups, own.map(str::to_owned)))
    });
    let Listed { items, is_whole } = listed.await?;
    let is_whole = is_whole && items.len() <= MOST;
    let names = items.iter().filter_map(|group| group.get("id")?.as_str()).take(MOST);
    Ok(GroupList { names: names.map(str::to_owned).collect(), is_whole })
}
