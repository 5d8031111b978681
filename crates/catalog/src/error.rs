//! Why a declaration is refused, and what is worth telling its author about an accepted one.

use std::fmt;

/// Why a declaration cannot be served. The `Display` text is what the function is told by `reportError`.
///
/// The first group of variants has the texts of protocol 0.2; the others are mistakes that protocol 0.2 does not name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The function speaks another protocol version.
    #[error(
        "Incompatible protocol version {major}.{minor}, only {}.{} is supported",
        cloudstate_protocol::PROTOCOL_MAJOR_VERSION,
        cloudstate_protocol::PROTOCOL_MINOR_VERSION
    )]
    IncompatibleProtocol {
        /// The function's major version.
        major: i32,
        /// The function's minor version.
        minor: i32,
    },
    /// Files import each other in a circle.
    #[error("Circular dependency detected in entity spec descriptor: {}", chain(.path))]
    CircularImport {
        /// The file that closes the circle, then its importers from the innermost outwards.
        path: Vec<String>,
    },
    /// An imported file was not sent.
    #[error("Descriptor dependency [{dependency}] not found, dependency path: {}", chain(.path))]
    MissingImport {
        /// The file that is missing.
        dependency: String,
        /// Its importers from the innermost outwards.
        path: Vec<String>,
    },
    /// The declaration has no entities.
    #[error("No entities were reported by the discover call!")]
    NoEntities,
    /// A declared service has no descriptor.
    #[error("Service [{service}] not found in descriptors!")]
    ServiceNotFound {
        /// The declared name.
        service: String,
    },
    /// The service is event sourced, and the proxy has no journal.
    #[error(
        "Service [{service}] has declared an event sourced entity, however, this proxy does not have a configured \
         store, or is using a store that doesn't support event sourced journals. A store that supports journals must \
         be configured in this stateful services resource if event sourcing is to be used."
    )]
    NoJournal {
        /// The declared name.
        service: String,
    },
    /// The proxy does not serve this entity type.
    #[error(
        "Service [{service}] has declared an unsupported entity type [{entity_type}]. Supported types are {}",
        .supported.join(",")
    )]
    UnsupportedEntityType {
        /// The declared name.
        service: String,
        /// The declared type.
        entity_type: String,
        /// The types that the proxy serves, in its order.
        supported: Vec<String>,
    },
    /// Methods have a call shape that their kind of entity does not allow.
    #[error(
        "{entities} do not support {shape}, but {service} has the following streamed methods: {}",
        .methods.join(",")
    )]
    StreamedMethods {
        /// The kind of entity, such as `Event sourced entities`.
        entities: &'static str,
        /// What is not allowed, such as `streamed methods`.
        shape: &'static str,
        /// Full name of the service.
        service: String,
        /// Simple names of the methods.
        methods: Vec<String>,
    },
    /// Methods have a request type without a key field.
    #[error(
        "{entities} do not support methods whose parameters do not have at least one field marked as entity_key, but \
         {service} has the following methods without keys: {}",
        .methods.join(",")
    )]
    MethodsWithoutKey {
        /// The kind of entity, such as `Event sourced entities`.
        entities: &'static str,
        /// Full name of the service.
        service: String,
        /// Simple names of the methods.
        methods: Vec<String>,
    },
    /// An HTTP rule cannot be served.
    #[error("HTTP API Config: {reason} (rule [{rule}] of method [{method}] in file [{file}]). {fix}")]
    HttpRule {
        /// What is wrong with the rule.
        reason: String,
        /// What to write instead.
        fix: String,
        /// The rule on one line: that of the method, or the additional binding at fault.
        rule: String,
        /// Full name of the method.
        method: String,
        /// The file that defines it.
        file: String,
    },

    /// The descriptor bytes are not a file descriptor set.
    #[error(
        "The descriptors in the entity spec are not a serialized google.protobuf.FileDescriptorSet: {reason}. Send what \
         `protoc --include_imports --descriptor_set_out` writes."
    )]
    UnreadableDescriptors {
        /// What the parser says.
        reason: String,
    },
    /// A file is written in a language that the proxy does not read, such as an edition of protobuf.
    #[error(
        "File [{file}] in the entity spec has the syntax [{syntax}], but only proto3 and proto2 are supported. Begin it with `syntax = \"proto3\";`."
    )]
    UnsupportedSyntax {
        /// The file.
        file: String,
        /// Its syntax.
        syntax: String,
    },
    /// Two different files have one name.
    #[error(
        "The descriptors in the entity spec hold two different files named [{file}]. Compile all services of the \
         function together, against one version of that file."
    )]
    ConflictingFiles {
        /// Their name.
        file: String,
    },
    /// The files do not fit together.
    #[error(
        "The descriptors in the entity spec cannot be linked: {reason}, in file [{file}]. Compile that file again with \
         all its imports."
    )]
    UnlinkableDescriptors {
        /// The first conflict.
        reason: String,
        /// Where it is, or `unknown`.
        file: String,
    },
    /// A service or method has a name that no `.proto` file can give it, and so no path.
    #[error(
        "The name [{}] in the entity spec is not one of the language of .proto files. Names have letters, digits and \
         underscores, and begin with no digit; dots are between names.",
        .name.escape_debug()
    )]
    IllegalName {
        /// Full name of the service or method.
        name: String,
    },
    /// Options of a field or method do not have the type that their definition says.
    #[error(
        "The options of [{element}] in file [{file}] cannot be read: {reason}. Compile it again with the option files of this protocol version."
    )]
    UnreadableOptions {
        /// Full name of the field or method.
        element: String,
        /// The file that defines it.
        file: String,
        /// What the parser says.
        reason: String,
    },
    /// A service is declared more than once.
    #[error(
        "Service [{service}] is declared more than once. Register one entity or action for each service."
    )]
    DuplicateService {
        /// Its full name.
        service: String,
    },
    /// A stateful service has no persistence id.
    #[error(
        "Service [{service}] has an empty persistence id. Give it one: it names the entity's state in the store."
    )]
    EmptyPersistenceId {
        /// Its full name.
        service: String,
    },
    /// A persistence id is longer than stores keep.
    #[error(
        "Service [{service}] has a persistence id of {length} bytes, but at most {limit} are allowed. Choose a shorter one."
    )]
    OversizedPersistenceId {
        /// Full name of the service.
        service: String,
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// Two stateful services would share their state.
    #[error(
        "Services [{first}] and [{second}] have the same persistence id [{persistence_id}], so that they would overwrite \
         each other's state. Give each its own."
    )]
    SharedPersistenceId {
        /// The service declared first.
        first: String,
        /// The other one.
        second: String,
        /// What they share.
        persistence_id: String,
    },
    /// The passivation timeout is zero or negative.
    #[error(
        "Service [{service}] has a passivation timeout of {millis} ms, but it must be at least 1 ms. Leave the strategy \
         out for the proxy's default."
    )]
    InvalidPassivation {
        /// Full name of the service.
        service: String,
        /// The declared timeout in milliseconds.
        millis: i64,
    },
    /// A key field has a type that does not make an id.
    #[error(
        "Field [{field}] in file [{file}] is marked as entity_key, but a {field_type} field cannot be part of an entity \
         id. Mark a singular scalar, string, bytes or enum field of the request of [{method}]."
    )]
    UnsupportedKeyField {
        /// Full name of the field.
        field: String,
        /// What it is: `message`, `repeated` or `map`.
        field_type: &'static str,
        /// Full name of the method whose request has the field.
        method: String,
        /// The file that defines the field.
        file: String,
    },
    /// An eventing option is incomplete or contradicts another.
    #[error("{reason} (service [{service}] in file [{file}])")]
    Eventing {
        /// What is wrong, naming the method, with the fix.
        reason: String,
        /// Full name of the service.
        service: String,
        /// The file that defines it.
        file: String,
    },
}

/// Something about an accepted declaration that its author should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The function speaks another protocol version, and the check is switched off.
    IncompatibleProtocol {
        /// The function's major version.
        major: i32,
        /// The function's minor version.
        minor: i32,
    },
    /// An HTTP binding never gets a request, because one that was defined later matches the same paths.
    ShadowedHttpBinding {
        /// Its HTTP method and path template.
        binding: String,
        /// Full name of its method.
        method: String,
        /// The HTTP method and path template of the other one.
        winner: String,
        /// Full name of the other one's method.
        winner_method: String,
    },
    /// A method's eventing option has no effect; the method itself is callable.
    InactiveEventing {
        /// Full name of the service.
        service: String,
        /// Simple name of the method.
        method: String,
        /// The event log or topic that it subscribes to.
        source: Option<String>,
        /// The topic that it publishes to.
        destination: Option<String>,
    },
}

impl Warning {
    /// Whether the function should be told by `reportError`, besides the log.
    pub fn is_reported(&self) -> bool {
        !matches!(self, Warning::IncompatibleProtocol { .. })
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::IncompatibleProtocol { major, minor } => {
                let error = DiscoveryError::IncompatibleProtocol {
                    major: *major,
                    minor: *minor,
                };
                write!(
                    f,
                    "{error}; the function is served because the compatibility check is off"
                )
            }
            Warning::ShadowedHttpBinding {
                binding,
                method,
                winner,
                winner_method,
            } => write!(
                f,
                "the HTTP binding [{binding}] of [{method}] is never used, since [{winner}] of [{winner_method}] answers to \
                 the same paths and is defined later. Give one of them another path"
            ),
            Warning::InactiveEventing {
                service,
                method,
                source,
                destination,
            } => {
                write!(f, "{service}.{method}: ")?;
                match (source, destination) {
                    (Some(source), None) => {
                        write!(f, "subscription to [{source}] is not active in this version")
                    }
                    (None, Some(topic)) => {
                        write!(f, "publication to [{topic}] is not active in this version")
                    }
                    (source, topic) => write!(
                        f,
                        "subscription to [{}] is not active in this version, nor is publication to [{}]",
                        source.as_deref().unwrap_or_default(),
                        topic.as_deref().unwrap_or_default()
                    ),
                }
            }
        }
    }
}

fn chain(files: &[String]) -> String {
    files
        .iter()
        .map(|file| format!("[{file}]"))
        .collect::<Vec<_>>()
        .join(" -> ")
}
