//! The reference server: the embedded target, the demo, and the double for client developers.
