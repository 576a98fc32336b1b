//! The printed form of a filter: what is printed reads back as the same tree.

use std::fmt;

use super::{Filter, FilterValue};

impl fmt::Display for FilterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_json())
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Filter::And(operands) => {
                joined(f, operands, " and ", |it| matches!(it, Filter::And(_) | Filter::Or(_)))
            }
            Filter::Or(operands) => joined(f, operands, " or ", |it| matches!(it, Filter::Or(_))),
            Filter::Not(operand) => write!(f, "not ({operand})"),
            Filter::Compare { path, operator, value } => write!(f, "{path} {operator} {value}"),
            Filter::Present(path) => write!(f, "{path} pr"),
            Filter::ValuePath { path, filter } => write!(f, "{path}[{filter}]"),
        }
    }
}

fn joined(
    f: &mut fmt::Formatter<'_>,
    operands: &[Filter],
    connective: &str,
    needs_parentheses: fn(&Filter) -> bool,
) -> fmt::Result {
    for (index, operand) in operands.iter().enumerate() {
        if index > 0 {
            f.write_str(connective)?;
        }
        if needs_parentheses(operand) {
            write!(f, "({operand})")?;
        } else {
            write!(f, "{operand}")?;
        }
    }
    Ok(())
}
