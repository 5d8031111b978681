//! Comments of the `.proto` files, as descriptions.

use std::collections::HashMap;

use prost_reflect::prost_types::source_code_info::Location;
use prost_reflect::{
    DescriptorPool, EnumDescriptor, EnumValueDescriptor, FieldDescriptor, FileDescriptor, MessageDescriptor,
    MethodDescriptor, OneofDescriptor, ServiceDescriptor,
};

/// All comments of a set of files. Files without source information have none.
pub(crate) struct Comments {
    /// By file name, then by the path of the element in its file: `google.protobuf.SourceCodeInfo.Location.path`.
    files: HashMap<String, HashMap<Vec<i32>, String>>,
}

impl Comments {
    pub(crate) fn of(pool: &DescriptorPool) -> Self {
        let of_file = |file: FileDescriptor| {
            let info = file.file_descriptor_proto().source_code_info.as_ref();
            let locations = info.map_or(&[][..], |info| &info.location);
            let comments = locations
                .iter()
                .filter_map(|location| Some((location.path.clone(), text(location)?)));
            (file.name().to_owned(), comments.collect())
        };
        Comments {
            files: pool.files().map(of_file).collect(),
        }
    }

    fn find(&self, file: &FileDescriptor, path: &[i32]) -> Option<String> {
        self.files.get(file.name())?.get(path).cloned()
    }

    pub(crate) fn service(&self, service: &ServiceDescriptor) -> Option<String> {
        self.find(&service.parent_file(), service.path())
    }

    pub(crate) fn method(&self, method: &MethodDescriptor) -> Option<String> {
        self.find(&method.parent_file(), method.path())
    }

    pub(crate) fn message(&self, message: &MessageDescriptor) -> Option<String> {
        self.find(&message.parent_file(), message.path())
    }

    pub(crate) fn field(&self, field: &FieldDescriptor) -> Option<String> {
        self.find(&field.parent_file(), field.path())
    }

    pub(crate) fn oneof(&self, oneof: &OneofDescriptor) -> Option<String> {
        self.find(&oneof.parent_file(), oneof.path())
    }

    pub(crate) fn enumeration(&self, enumeration: &EnumDescriptor) -> Option<String> {
        self.find(&enumeration.parent_file(), enumeration.path())
    }

    pub(crate) fn enum_value(&self, value: &EnumValueDescriptor) -> Option<String> {
        self.find(&value.parent_file(), value.path())
    }
}

/// The comment before an element and the one behind it, as paragraphs.
fn text(location: &Location) -> Option<String> {
    let comments = [&location.leading_comments, &location.trailing_comments];
    let paragraphs: Vec<String> = comments
        .into_iter()
        .flatten()
        .map(|comment| tidy(comment))
        .filter(|comment| !comment.is_empty())
        .collect();
    (!paragraphs.is_empty()).then(|| paragraphs.join("\n\n"))
}

/// Without the blank after `//` or ` *`, and without empty lines around. Deeper indentation stays: it may be a list or
/// code.
fn tidy(comment: &str) -> String {
    let lines: Vec<&str> = comment
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
        .collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(leading: Option<&str>, trailing: Option<&str>) -> Option<String> {
        text(&Location {
            leading_comments: leading.map(str::to_owned),
            trailing_comments: trailing.map(str::to_owned),
            ..Location::default()
        })
    }

    #[test]
    fn comments_before_and_behind_become_paragraphs() {
        assert_eq!(
            of(Some(" One.\n"), Some(" Two.\n")).as_deref(),
            Some("One.\n\nTwo.")
        );
        assert_eq!(of(None, Some(" Two.\n")).as_deref(), Some("Two."));
        assert_eq!(of(None, None), None);
        assert_eq!(of(Some("\n \n"), None), None, "a comment without text is none");
    }

    #[test]
    fn lines_keep_their_own_indentation() {
        let comment = "\n A list:\n\n   * one  \n   * two\nflush\n \n";
        assert_eq!(
            of(Some(comment), None).as_deref(),
            Some("A list:\n\n  * one\n  * two\nflush")
        );
    }
}
