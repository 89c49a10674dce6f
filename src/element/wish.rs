//! What a service element wants of the process around the node, in the name of an operator.

/// Something that only the process around the node can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Say how the peers are.
    Peers,
    /// Read the configuration again.
    Reload,
    /// Deliver what can be delivered, then end.
    Drain,
}
