//! Where a writer's bytes go: a file through a fixed buffer in the profiler, a vector in tests.

/// Takes bytes in order. A writer stops at the first error and hands it on.
pub trait Sink {
    /// What can go wrong.
    type Error;

    /// Takes all of `bytes`.
    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
}

impl<S: Sink + ?Sized> Sink for &mut S {
    type Error = S::Error;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        (**self).write(bytes)
    }
}

#[cfg(test)]
impl Sink for std::vec::Vec<u8> {
    type Error = core::convert::Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Self::Error> {
        self.extend_from_slice(bytes);
        Ok(())
    }
}
