"""Made-up histories whose patterns are known, and the acceptance runs over them."""
