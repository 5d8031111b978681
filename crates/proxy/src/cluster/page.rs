//! `/cluster` on the admin port: who is a member, as JSON.

use std::sync::Arc;

use cloudstate_admin::AdminResponse;
use cloudstate_cluster::State;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

/// The state of this node and of all members, as this node sees them.
pub(crate) fn page(state: &Arc<State>) -> AdminResponse {
    let member = |node: &Arc<cloudstate_cluster::Node>| {
        json!({
            "name": node.name,
            "address": node.endpoint,
            "generation": node.id.generation,
            "version": node.version,
            "zone": node.zone,
            "reachable": state.present.contains(&node.id),
            "self": node.id == state.own.id,
        })
    };
    let view = state.view.as_ref();
    let members: Vec<Value> = view.map_or(Vec::new(), |view| view.members().iter().map(member).collect());
    let page = json!({
        "self": state.own.name,
        "ready": state.is_ready(),
        "refusal": state.refusal,
        "view": view.map(|view| view.id.number),
        "members": members,
    });
    let mut response = cloudstate_admin::text(StatusCode::OK, format!("{page:#}\n"));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
