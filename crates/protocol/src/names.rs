//! Names of the protocol's services and the HTTP/2 paths of their rpcs. The rpc names begin with a lower-case letter.

/// Entity type of event sourced entities, and the full name of their protocol service.
pub const EVENT_SOURCED: &str = "cloudstate.eventsourced.EventSourced";
/// Entity type of value entities, and the full name of their protocol service.
pub const VALUE_ENTITY: &str = "cloudstate.valueentity.ValueEntity";
/// Entity type of CRDT entities, and the full name of their protocol service.
pub const CRDT: &str = "cloudstate.crdt.Crdt";
/// Entity type of actions, and the full name of their protocol service.
pub const ACTION: &str = "cloudstate.action.ActionProtocol";
/// Full name of the discovery service.
pub const ENTITY_DISCOVERY: &str = "cloudstate.EntityDiscovery";

/// Path of `EntityDiscovery.discover`.
pub const DISCOVER_PATH: &str = "/cloudstate.EntityDiscovery/discover";
/// Path of `EntityDiscovery.reportError`.
pub const REPORT_ERROR_PATH: &str = "/cloudstate.EntityDiscovery/reportError";
/// Path of `EventSourced.handle`.
pub const EVENT_SOURCED_PATH: &str = "/cloudstate.eventsourced.EventSourced/handle";
/// Path of `ValueEntity.handle`.
pub const VALUE_ENTITY_PATH: &str = "/cloudstate.valueentity.ValueEntity/handle";
/// Path of `Crdt.handle`.
pub const CRDT_PATH: &str = "/cloudstate.crdt.Crdt/handle";
/// Path of `ActionProtocol.handleUnary`.
pub const ACTION_UNARY_PATH: &str = "/cloudstate.action.ActionProtocol/handleUnary";
/// Path of `ActionProtocol.handleStreamedIn`.
pub const ACTION_STREAMED_IN_PATH: &str = "/cloudstate.action.ActionProtocol/handleStreamedIn";
/// Path of `ActionProtocol.handleStreamedOut`.
pub const ACTION_STREAMED_OUT_PATH: &str = "/cloudstate.action.ActionProtocol/handleStreamedOut";
/// Path of `ActionProtocol.handleStreamed`.
pub const ACTION_STREAMED_PATH: &str = "/cloudstate.action.ActionProtocol/handleStreamed";
