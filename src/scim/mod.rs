//! The reading of RFC 7643 and RFC 7644: parse, print, evaluate. Knows no HTTP, holds no fault.
