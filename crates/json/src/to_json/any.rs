//! `google.protobuf.Any`: the JSON of the message in it, with a member that names its type.

use prost::Message as _;
use prost_types::Any;

use super::Writer;
use crate::error::{Fault, WireError};

impl Writer<'_> {
    pub(super) fn any(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let Any { type_url, value } = Any::decode(bytes)?;
        if type_url.is_empty() && value.is_empty() {
            self.out.extend_from_slice(b"{}");
            return Ok(());
        }
        let index = self.types.by_url(&type_url).map_err(WireError::new)?;
        self.out.extend_from_slice(b"{\"@type\":");
        self.string(&type_url);
        let is_value = self.types.messages[index].is_value_in_any();
        if is_value {
            self.out.extend_from_slice(b",\"value\":");
        }
        let start = self.out.len();
        // Whatever was merged outside, this has not been.
        let merged = std::mem::replace(&mut self.merged, false);
        let written = self.message(index, &value);
        self.merged = merged;
        written?;
        if is_value {
            self.out.push(b'}');
        } else if self.out[start..] == *b"{}" {
            self.out.remove(start);
        } else {
            // The members follow the type.
            self.out[start] = b',';
        }
        Ok(())
    }
}
