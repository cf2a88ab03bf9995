"""Does every customer of the shop have a fate?"""
