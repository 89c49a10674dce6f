//! Stores that take nothing for a while.
