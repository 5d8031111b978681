//! CloudEvents 1.0 attributes in metadata, in the naming of the HTTP binary binding.

use crate::Metadata;

/// The attributes of a CloudEvent. Source: CloudEvents 1.0.2, HTTP protocol binding §3.1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudEvent {
    /// Unique within the source.
    pub id: String,
    /// Where the event comes from; for event logs, the name of the log.
    pub source: String,
    /// Version of the CloudEvents specification, `1.0`.
    pub spec_version: String,
    /// What happened; for event logs, the full type URL of the event.
    pub event_type: String,
    /// Content type of the payload.
    pub data_content_type: Option<String>,
    /// Schema of the payload.
    pub data_schema: Option<String>,
    /// What the event is about; for event logs, the entity id.
    pub subject: Option<String>,
    /// When it happened, RFC 3339.
    pub time: Option<String>,
}

const ID: &str = "ce-id";
const SOURCE: &str = "ce-source";
const SPEC_VERSION: &str = "ce-specversion";
const TYPE: &str = "ce-type";
const CONTENT_TYPE: &str = "Content-Type";
const DATA_SCHEMA: &str = "ce-dataschema";
const SUBJECT: &str = "ce-subject";
const TIME: &str = "ce-time";

impl CloudEvent {
    /// Reads the event; `None` unless id, source, specversion and type are all there.
    pub fn from_metadata(metadata: &Metadata) -> Option<Self> {
        let required = |key| metadata.get(key).map(str::to_owned);
        Some(CloudEvent {
            id: required(ID)?,
            source: required(SOURCE)?,
            spec_version: required(SPEC_VERSION)?,
            event_type: required(TYPE)?,
            data_content_type: required(CONTENT_TYPE),
            data_schema: required(DATA_SCHEMA),
            subject: required(SUBJECT),
            time: required(TIME),
        })
    }

    /// Appends the attributes in the order that the protocol fixes; optional ones only when known.
    pub fn append_to(&self, metadata: &mut Metadata) {
        metadata.push(ID, &self.id);
        metadata.push(SOURCE, &self.source);
        metadata.push(SPEC_VERSION, &self.spec_version);
        metadata.push(TYPE, &self.event_type);
        let optional = [
            (CONTENT_TYPE, &self.data_content_type),
            (DATA_SCHEMA, &self.data_schema),
            (SUBJECT, &self.subject),
            (TIME, &self.time),
        ];
        for (key, value) in optional {
            if let Some(value) = value {
                metadata.push(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> CloudEvent {
        CloudEvent {
            id: "7".into(),
            source: "carts".into(),
            spec_version: "1.0".into(),
            event_type: "type.googleapis.com/x.ItemAdded".into(),
            data_content_type: Some("application/vnd.cloudstate.protobuf.any".into()),
            subject: Some("cart-1".into()),
            ..CloudEvent::default()
        }
    }

    #[test]
    fn attributes_come_in_the_fixed_order() {
        let mut metadata = Metadata::default();
        event().append_to(&mut metadata);
        let keys: Vec<_> = metadata.entries.iter().map(|e| e.key.as_str()).collect();
        assert_eq!(
            keys,
            [
                "ce-id",
                "ce-source",
                "ce-specversion",
                "ce-type",
                "Content-Type",
                "ce-subject"
            ]
        );
        assert_eq!(CloudEvent::from_metadata(&metadata), Some(event()));
    }

    #[test]
    fn every_required_attribute_is_required() {
        for missing in ["ce-id", "CE-SOURCE", "ce-specversion", "Ce-Type"] {
            let mut metadata = Metadata::default();
            event().append_to(&mut metadata);
            metadata.remove(missing);
            assert_eq!(
                CloudEvent::from_metadata(&metadata),
                None,
                "{missing} is required"
            );
        }
    }
}
