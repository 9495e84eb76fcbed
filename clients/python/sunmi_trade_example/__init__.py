"""A worked example of a client of sunmi-trade, to be copied from.

`refund` makes a refund and finds out what became of it; `store` keeps the record of it, `channel`
makes connections and calls, `details` decodes what an error says. `conformance` runs the cases
that all languages have in common.
"""
