//! Broken connections between two domains, and peers that forget.
