"""The page of the targets web and tfjs: the files it is made of, and the browser that it is checked in."""
