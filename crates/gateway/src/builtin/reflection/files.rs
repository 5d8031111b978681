//! Finds descriptor files: those of the function first, then those of the gateway's own services.

use std::collections::HashSet;

use prost_reflect::{DescriptorPool, FileDescriptor};

/// The files of the services that the gateway itself answers.
const OWN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Where to look.
pub(super) struct Files<'a> {
    of_function: Option<&'a DescriptorPool>,
    own: DescriptorPool,
}

impl<'a> Files<'a> {
    /// Looks in the function's files, if there are any, and in the gateway's own. The latter are linked each time:
    /// questions are rare, and kept around they would cost memory for nothing.
    pub(super) fn new(of_function: Option<&'a DescriptorPool>) -> Self {
        // The build script encoded them, and a test decodes them.
        let own = DescriptorPool::decode(OWN).unwrap_or_default();
        Files { of_function, own }
    }

    fn pools(&self) -> impl Iterator<Item = &DescriptorPool> {
        self.of_function.into_iter().chain([&self.own])
    }

    /// A file by its path.
    pub(super) fn by_name(&self, name: &str) -> Option<FileDescriptor> {
        self.pools().find_map(|pool| pool.get_file_by_name(name))
    }

    /// The file that defines a fully-qualified name of any kind; a leading dot is allowed.
    pub(super) fn by_symbol(&self, symbol: &str) -> Option<FileDescriptor> {
        let symbol = symbol.strip_prefix('.').unwrap_or(symbol);
        self.pools()
            .find_map(|pool| definition(pool, symbol).or_else(|| member(pool, symbol)))
    }

    /// The file that defines an extension.
    pub(super) fn by_extension(&self, of: &str, number: i32) -> Option<FileDescriptor> {
        let number = u32::try_from(number).ok()?;
        self.pools().find_map(|pool| {
            pool.get_message_by_name(of)?
                .get_extension(number)
                .map(|extension| extension.parent_file())
        })
    }

    /// The numbers of all extensions of a message, ascending; `None` if there is no such message.
    pub(super) fn extension_numbers(&self, name: &str) -> Option<Vec<i32>> {
        let message = self.pools().find_map(|pool| pool.get_message_by_name(name))?;
        let mut numbers: Vec<i32> = message
            .extensions()
            .filter_map(|extension| i32::try_from(extension.number()).ok())
            .collect();
        numbers.sort_unstable();
        Some(numbers)
    }
}

/// Messages and enums, nested ones too, services and extensions.
fn definition(pool: &DescriptorPool, symbol: &str) -> Option<FileDescriptor> {
    let message = || pool.get_message_by_name(symbol).map(|found| found.parent_file());
    let enumeration = || pool.get_enum_by_name(symbol).map(|found| found.parent_file());
    let service = || pool.get_service_by_name(symbol).map(|found| found.parent_file());
    let extension = || {
        pool.get_extension_by_name(symbol)
            .map(|found| found.parent_file())
    };
    service().or_else(message).or_else(enumeration).or_else(extension)
}

/// Methods, fields, oneofs and enum values.
fn member(pool: &DescriptorPool, symbol: &str) -> Option<FileDescriptor> {
    let (parent, name) = symbol.rsplit_once('.')?;
    if let Some(service) = pool.get_service_by_name(parent) {
        return service
            .methods()
            .any(|method| method.name() == name)
            .then(|| service.parent_file());
    }
    if let Some(message) = pool.get_message_by_name(parent) {
        let has_field = message.get_field_by_name(name).is_some();
        if has_field || message.oneofs().any(|oneof| oneof.name() == name) {
            return Some(message.parent_file());
        }
    }
    enum_value(pool, parent, name)
}

/// The values of an enum are named as its siblings, not as its children.
fn enum_value(pool: &DescriptorPool, scope: &str, name: &str) -> Option<FileDescriptor> {
    let scope_of = |full_name: &str| {
        full_name
            .rsplit_once('.')
            .map_or(String::new(), |(scope, _)| scope.to_owned())
    };
    pool.all_enums()
        .find(|found| scope_of(found.full_name()) == scope && found.get_value_by_name(name).is_some())
        .map(|found| found.parent_file())
}

/// A file and all that it needs, the file first, each once.
pub(super) fn with_dependencies(file: FileDescriptor) -> Vec<bytes::Bytes> {
    let mut seen = HashSet::from([file.name().to_owned()]);
    let mut files = vec![file];
    let mut next = 0;
    while next < files.len() {
        let needed: Vec<_> = files[next].dependencies().collect();
        files.extend(
            needed
                .into_iter()
                .filter(|file| seen.insert(file.name().to_owned())),
        );
        next += 1;
    }
    files.iter().map(|file| file.encode_to_vec().into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_files_can_be_linked() {
        let pool = DescriptorPool::decode(OWN).unwrap();
        assert_eq!(pool.services().len(), 3);
    }

    #[test]
    fn symbols_of_every_kind_are_found() {
        let files = Files::new(None);
        let health = "grpc/health/v1/health.proto";
        let reflection = "grpc/reflection/v1/reflection.proto";
        for (symbol, expected) in [
            ("grpc.health.v1.Health", health),
            ("grpc.health.v1.Health.Check", health),
            ("grpc.health.v1.HealthCheckRequest", health),
            ("grpc.health.v1.HealthCheckRequest.service", health),
            ("grpc.health.v1.HealthCheckResponse.ServingStatus", health),
            ("grpc.health.v1.HealthCheckResponse.SERVING", health),
            (".grpc.reflection.v1.ServerReflection", reflection),
            (
                "grpc.reflection.v1.ServerReflectionRequest.message_request",
                reflection,
            ),
        ] {
            let found = files.by_symbol(symbol).map(|file| file.name().to_owned());
            assert_eq!(found.as_deref(), Some(expected), "{symbol}");
        }
        for unknown in [
            "",
            "grpc",
            "grpc.health.v1.Health.Nope",
            "SERVING",
            "grpc.health.v1.HealthCheckRequest.x",
        ] {
            assert!(files.by_symbol(unknown).is_none(), "{unknown}");
        }
    }
}
