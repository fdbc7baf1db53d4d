"""Documents for machines and people, made of the workbook and of the models of the contract."""
