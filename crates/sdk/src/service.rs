//! What generated code says about a service.

/// A gRPC service of this function, as its `.proto` file declares it.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    name: &'static str,
    descriptors: &'static [u8],
}

impl Service {
    /// A full name, and a serialized `google.protobuf.FileDescriptorSet` that holds the service and all that its file
    /// imports.
    pub const fn new(name: &'static str, descriptors: &'static [u8]) -> Self {
        Service { name, descriptors }
    }

    /// The full name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The name without its package.
    pub fn simple_name(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    pub(crate) fn descriptors(&self) -> &'static [u8] {
        self.descriptors
    }
}
