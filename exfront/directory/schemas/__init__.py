"""How directories write down who lives where: one module per schema, all of them pure."""
