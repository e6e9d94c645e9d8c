"""What an image file tells before it is decoded: its format, its size, its end."""
