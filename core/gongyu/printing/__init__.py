"""What goes on paper: slips, voucher sheets, certificates, record books; for the core and for plugins."""
